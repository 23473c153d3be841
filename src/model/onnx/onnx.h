/* The ONNX messages in memory, and the two ways between them and bytes.
 *
 * One struct a message of onnx.proto, in the order of its field numbers; schema.c holds the table
 * that ties each member to its field number and kind, and wire.c walks that table both ways.
 * Everything lives in an arena. Strings and payloads are views: of the mapped file for a model
 * that was read, of the arena or of static memory for one that was built. Nothing is copied to
 * read a model, so the mapping must outlive the messages.
 *
 * Fields that the table does not know are kept as byte spans, in order, and written back.
 * proto2 presence: a scalar is written when it is not zero or when its bit in `has` is set (bit k
 * is field number k); a string when its pointer is not NULL.
 *
 * Source: onnx.proto of ONNX 1.20 (IR version 13). */
#ifndef JL_MODEL_ONNX_ONNX_H
#define JL_MODEL_ONNX_ONNX_H

#include "base/arena.h"
#include "base/str.h"
#include "jouleline/dtype.h"
#include "jouleline/error.h"

/* Unknown fields, each with its tag, as they stood in the file. */
typedef struct onnx_unknown {
    jl_str *p;
    size_t n;
} onnx_unknown;

#define ONNX_LIST(type)                                                                            \
    struct {                                                                                       \
        type *p;                                                                                   \
        size_t n;                                                                                  \
    }

typedef struct onnx_graph onnx_graph;
typedef struct onnx_type onnx_type;

typedef struct onnx_entry { /* StringStringEntryProto */
    jl_str key, value;
    onnx_unknown unknown;
} onnx_entry;

typedef struct onnx_opset { /* OperatorSetIdProto */
    jl_str domain;          /* empty is ai.onnx */
    int64_t version;
    onnx_unknown unknown;
    uint32_t has;
} onnx_opset;

typedef struct onnx_dim { /* TensorShapeProto.Dimension: a value, a name, or neither (unknown) */
    int64_t value;
    jl_str param, denotation;
    bool has_value, has_param;
    onnx_unknown unknown;
} onnx_dim;

typedef struct onnx_shape { /* TensorShapeProto */
    ONNX_LIST(onnx_dim) dims;
    onnx_unknown unknown;
} onnx_shape;

typedef struct onnx_tensor_type { /* TypeProto.Tensor and TypeProto.SparseTensor */
    int32_t elem_type;            /* jl_dtype */
    onnx_shape *shape;            /* NULL: rank unknown */
    onnx_unknown unknown;
    uint32_t has;
} onnx_tensor_type;

typedef struct onnx_element_type { /* TypeProto.Sequence and TypeProto.Optional */
    onnx_type *elem_type;
    onnx_unknown unknown;
} onnx_element_type;

typedef struct onnx_map_type { /* TypeProto.Map */
    int32_t key_type;
    onnx_type *value_type;
    onnx_unknown unknown;
    uint32_t has;
} onnx_map_type;

struct onnx_type { /* TypeProto; at most one of the pointers is set */
    onnx_tensor_type *tensor_type;
    onnx_element_type *sequence_type;
    onnx_map_type *map_type;
    jl_str denotation;
    onnx_tensor_type *sparse_tensor_type;
    onnx_element_type *optional_type;
    onnx_unknown unknown;
};

typedef struct onnx_value_info { /* ValueInfoProto */
    jl_str name;
    onnx_type *type;
    jl_str doc_string;
    ONNX_LIST(onnx_entry) metadata_props;
    onnx_unknown unknown;
} onnx_value_info;

/* TensorProto. The payload is in exactly one place: raw_data (little endian, packed), one of the
 * typed lists (kept as the wire's packed bytes for float, double; as decoded integers for the
 * varint kinds), or an external file when data_location is ONNX_EXTERNAL. */
enum { ONNX_DATA_DEFAULT = 0, ONNX_DATA_EXTERNAL = 1 };
typedef struct onnx_tensor {
    ONNX_LIST(int64_t) dims;
    int32_t data_type; /* jl_dtype */
    jl_str float_data; /* packed little-endian floats */
    ONNX_LIST(int32_t) int32_data;
    ONNX_LIST(jl_str) string_data;
    ONNX_LIST(int64_t) int64_data;
    jl_str name;
    jl_str raw_data;
    jl_str double_data; /* packed little-endian doubles */
    ONNX_LIST(uint64_t) uint64_data;
    jl_str doc_string;
    ONNX_LIST(onnx_entry) external_data;
    int32_t data_location;
    ONNX_LIST(onnx_entry) metadata_props;
    onnx_unknown unknown; /* among others `segment`, which nobody uses */
    uint32_t has;
    bool has_raw_data;
} onnx_tensor;

typedef struct onnx_sparse_tensor { /* SparseTensorProto */
    onnx_tensor *values, *indices;
    ONNX_LIST(int64_t) dims;
    onnx_unknown unknown;
} onnx_sparse_tensor;

typedef enum onnx_attribute_type {
    ONNX_ATTR_UNDEFINED = 0,
    ONNX_ATTR_FLOAT = 1,
    ONNX_ATTR_INT = 2,
    ONNX_ATTR_STRING = 3,
    ONNX_ATTR_TENSOR = 4,
    ONNX_ATTR_GRAPH = 5,
    ONNX_ATTR_FLOATS = 6,
    ONNX_ATTR_INTS = 7,
    ONNX_ATTR_STRINGS = 8,
    ONNX_ATTR_TENSORS = 9,
    ONNX_ATTR_GRAPHS = 10,
    ONNX_ATTR_SPARSE_TENSOR = 11,
    ONNX_ATTR_SPARSE_TENSORS = 12,
    ONNX_ATTR_TYPE_PROTO = 13,
    ONNX_ATTR_TYPE_PROTOS = 14,
} onnx_attribute_type;

typedef struct onnx_attribute { /* AttributeProto */
    jl_str name;
    float f;
    int64_t i;
    jl_str s;
    onnx_tensor *t;
    onnx_graph *g;
    ONNX_LIST(float) floats;
    ONNX_LIST(int64_t) ints;
    ONNX_LIST(jl_str) strings;
    ONNX_LIST(onnx_tensor) tensors;
    ONNX_LIST(onnx_graph *) graphs;
    jl_str doc_string;
    onnx_type *tp;
    ONNX_LIST(onnx_type) type_protos;
    int32_t type; /* onnx_attribute_type */
    jl_str ref_attr_name;
    onnx_sparse_tensor *sparse_tensor;
    ONNX_LIST(onnx_sparse_tensor) sparse_tensors;
    onnx_unknown unknown;
    uint32_t has;
} onnx_attribute;

typedef struct onnx_node {    /* NodeProto */
    ONNX_LIST(jl_str) inputs; /* an empty name is an input left out */
    ONNX_LIST(jl_str) outputs;
    jl_str name, op_type;
    ONNX_LIST(onnx_attribute) attributes;
    jl_str doc_string, domain, overload;
    ONNX_LIST(onnx_entry) metadata_props;
    onnx_unknown unknown; /* device_configurations too */
} onnx_node;

typedef struct onnx_annotation { /* TensorAnnotation */
    jl_str tensor_name;
    ONNX_LIST(onnx_entry) quant_parameter_tensor_names;
    onnx_unknown unknown;
} onnx_annotation;

struct onnx_graph { /* GraphProto */
    ONNX_LIST(onnx_node) nodes;
    jl_str name;
    ONNX_LIST(onnx_tensor) initializers;
    jl_str doc_string;
    ONNX_LIST(onnx_value_info) inputs, outputs, value_infos;
    ONNX_LIST(onnx_annotation) quantization_annotations;
    ONNX_LIST(onnx_sparse_tensor) sparse_initializers;
    ONNX_LIST(onnx_entry) metadata_props;
    onnx_unknown unknown;
};

typedef struct onnx_function { /* FunctionProto */
    jl_str name;
    ONNX_LIST(jl_str) inputs, outputs, attributes;
    ONNX_LIST(onnx_node) nodes;
    jl_str doc_string;
    ONNX_LIST(onnx_opset) opset_imports;
    jl_str domain;
    ONNX_LIST(onnx_attribute) attribute_protos;
    ONNX_LIST(onnx_value_info) value_infos;
    jl_str overload;
    ONNX_LIST(onnx_entry) metadata_props;
    onnx_unknown unknown;
} onnx_function;

typedef struct onnx_model { /* ModelProto */
    int64_t ir_version;
    jl_str producer_name, producer_version, domain;
    int64_t model_version;
    jl_str doc_string;
    onnx_graph *graph;
    ONNX_LIST(onnx_opset) opset_imports;
    ONNX_LIST(onnx_entry) metadata_props;
    ONNX_LIST(onnx_function) functions;
    onnx_unknown unknown; /* training_info and configuration too */
    uint32_t has;
} onnx_model;

/* Read ---------------------------------------------------------------------------------------- */

/* A model file, mapped and decoded. external_dir is the model's folder. */
typedef struct onnx_file {
    onnx_model *model;
    jl_arena *arena;    /* owns every message; whoever edits the model allocates from it */
    const char *path;   /* as given */
    const char *folder; /* of the model file, for external data */
    void *mapping;
    size_t mapping_bytes;
    struct onnx_external *external; /* external data files mapped so far */
} onnx_file;

/* Maps and decodes `path`. JL_ERR_IO, JL_ERR_FORMAT (not ONNX, truncated: the byte offset is
 * named), JL_ERR_LIMIT (nesting beyond 64). On failure *file is NULL. */
int onnx_open(const char *path, onnx_file **file, jl_error *err);
void onnx_close(onnx_file *file);
/* Gives the memory of pages that were read back to the system: they are read from the file again
 * when somebody looks. */
void onnx_release_pages(const onnx_file *file);
/* The same from bytes that the caller keeps alive; folder may be NULL (no external data). */
int onnx_decode(const void *bytes, size_t n, jl_arena *arena, onnx_model **model, jl_error *err);

/* A TensorProto on its own, as in the recorded inputs and outputs beside test models. */
int onnx_decode_tensor(const void *bytes, size_t n, jl_arena *arena, onnx_tensor **tensor,
                       jl_error *err);

/* The little-endian packed bytes of a dense tensor, wherever they are: a view where the file has
 * them so (raw, float_data, double_data, external), else a copy in the arena. The length is checked
 * against dims and data_type. External paths that leave the folder, links included, are refused.
 * Strings have no bytes: JL_ERR_UNSUPPORTED. */
int onnx_tensor_bytes(onnx_file *file, const onnx_tensor *t, jl_str *bytes, jl_error *err);
/* Refuses external data whose path leaves the model's folder by its words alone, without opening
 * anything; other tensors pass. */
int onnx_check_external(const onnx_file *file, const onnx_tensor *t, jl_error *err);
/* Elements by dims, or -1 on overflow or a negative dimension. */
int64_t onnx_tensor_elements(const onnx_tensor *t);

/* Write --------------------------------------------------------------------------------------- */

/* A payload made while writing, so that a big model needs no second copy in memory: when
 * fill is set, the encoder asks it for the tensor's raw_data in order, in pieces. */
typedef struct onnx_payload_source {
    /* Fills n bytes of tensor t's raw data from offset. t->raw_data.n says the whole length and
     * t->raw_data.p is NULL for tensors that come from here. */
    int (*fill)(void *ctx, const onnx_tensor *t, uint64_t offset, void *to, size_t n,
                jl_error *err);
    void *ctx;
} onnx_payload_source;

/* Encodes to a temporary file in the same folder and renames it when whole; an existing file is
 * replaced only on success. source may be NULL. Files above 2 GiB - 1 are refused
 * (JL_ERR_LIMIT: protobuf's limit; external data is the remedy). */
int onnx_save(const onnx_model *model, const char *path, const onnx_payload_source *source,
              jl_error *err);
/* The same to whoever takes the bytes, piece by piece. */
int onnx_encode_to(const onnx_model *model, const onnx_payload_source *source,
                   int (*write)(void *ctx, const void *bytes, size_t n, jl_error *err), void *ctx,
                   jl_error *err);
/* The same to memory. */
int onnx_encode(const onnx_model *model, jl_buf *out, jl_error *err);

/* Small helpers for those who read and build graphs ------------------------------------------- */

const onnx_attribute *onnx_find_attribute(const onnx_node *node, const char *name);
int64_t onnx_attribute_i(const onnx_node *node, const char *name, int64_t otherwise);
float onnx_attribute_f(const onnx_node *node, const char *name, float otherwise);
jl_str onnx_attribute_s(const onnx_node *node, const char *name, const char *otherwise);
/* Version of a domain ("" for ai.onnx) among the model's imports; 0 when not imported. */
int64_t onnx_opset_version(const onnx_model *model, const char *domain);

#endif
