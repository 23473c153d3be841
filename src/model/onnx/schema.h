/* The table of the ONNX messages: which member of which struct holds which field of onnx.proto,
 * and in what form. wire.c and encode.c walk it; nothing else knows field numbers. */
#ifndef JL_MODEL_ONNX_SCHEMA_H
#define JL_MODEL_ONNX_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum onnx_kind {
    ONNX_NONE = 0,     /* a field number that the table does not know */
    ONNX_INT64,        /* int64_t */
    ONNX_INT32,        /* int32_t; enums too */
    ONNX_FLOAT,        /* float */
    ONNX_BYTES,        /* jl_str; string and bytes alike */
    ONNX_MESSAGE,      /* pointer to a struct, NULL when absent */
    ONNX_INT64S,       /* list of int64_t; uint64_t alike */
    ONNX_INT32S,       /* list of int32_t */
    ONNX_FLOATS,       /* list of float */
    ONNX_BYTESS,       /* list of jl_str */
    ONNX_MESSAGES,     /* list of structs */
    ONNX_MESSAGE_PTRS, /* list of pointers to structs */
    ONNX_PACKED32,     /* jl_str of packed 4-byte values */
    ONNX_PACKED64,     /* jl_str of packed 8-byte values */
} onnx_kind;

enum { ONNX_NO_OFFSET = 0xFFFF, ONNX_MAX_FIELD = 27 };

typedef struct onnx_field {
    uint8_t kind;    /* onnx_kind */
    bool packed;     /* a numeric list is written packed */
    bool one_of;     /* setting one such member of a message clears the others */
    bool has_flag;   /* `flag` is the offset of a bool that says "present" */
    uint16_t offset; /* of the member */
    uint16_t flag;
    const struct onnx_message *sub;
} onnx_field;

typedef struct onnx_message {
    const char *name; /* as onnx.proto has it */
    uint16_t size;
    uint16_t unknown; /* offset of the onnx_unknown */
    uint16_t has;     /* offset of the presence bits (bit = field number), or ONNX_NO_OFFSET */
    uint8_t n_fields; /* fields[number] for number < n_fields */
    onnx_field fields[ONNX_MAX_FIELD];
} onnx_message;

extern const onnx_message onnx_schema_model, onnx_schema_tensor;

#endif
