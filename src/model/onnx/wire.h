/* Bytes of the wire format to messages and back, over the schema table. */
#ifndef JL_MODEL_ONNX_WIRE_H
#define JL_MODEL_ONNX_WIRE_H

#include "onnx.h"
#include "schema.h"

/* Messages inside messages; protobuf's own readers stop at 100. */
enum { ONNX_MAX_DEPTH = 64 };

enum { ONNX_WIRE_VARINT = 0, ONNX_WIRE_64 = 1, ONNX_WIRE_BYTES = 2, ONNX_WIRE_32 = 5 };

/* Decodes `bytes` into the zeroed struct at `to`. Linear in n; strings stay views of bytes. */
int onnx_decode_message(const onnx_message *schema, jl_str bytes, jl_arena *arena, void *to,
                        jl_error *err);

/* Where encoded bytes go. */
typedef struct onnx_sink {
    int (*write)(void *ctx, const void *bytes, size_t n, jl_error *err);
    void *ctx;
} onnx_sink;

int onnx_encode_message(const onnx_message *schema, const void *from,
                        const onnx_payload_source *source, const onnx_sink *sink, jl_error *err);

#endif
