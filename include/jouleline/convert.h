/* Converting an FP32 ONNX model to a 16-bit floating-point type, statically: no runtime is needed.
 *
 * Every value's type is inferred by jouleline; each node is given a precision; one Cast stands
 * for each (value, type) that needs one; Cast, Constant, ConstantOfShape and dtype attributes are
 * rewritten; initialisers are rounded to nearest even, and one that is needed in both types is
 * kept in both. Batch norms are folded in FP32 first. */
#ifndef JOULELINE_CONVERT_H
#define JOULELINE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/dtype.h"
#include "jouleline/error.h"

/* Why a node stayed in FP32. */
typedef enum jl_keep_reason {
    JL_KEEP_OPERATOR, /* ONNX defines the operator without the 16-bit type at this opset */
    JL_KEEP_DOMAIN,   /* an operator of another domain: its types are not known */
    JL_KEEP_USER,     /* named by the caller, operator or node */
    JL_KEEP_RANGE,    /* its values come too near the type's largest (named by the range pass) */
    JL_KEEP_SHAPE,    /* arithmetic on shapes: half counts whole numbers exactly only to 2048 */
} jl_keep_reason;

typedef struct jl_convert_options {
    jl_dtype to;             /* JL_FLOAT16 or JL_BFLOAT16 */
    bool keep_io;            /* inputs and outputs of the model stay FP32 */
    bool keep_batch_norms;   /* do not fold */
    const char *const *keep; /* operator types or node names that stay in FP32 */
    size_t keep_count;
    const char *const *range; /* names of values (node outputs) whose nodes lack headroom */
    size_t range_count;
} jl_convert_options;

typedef struct jl_kept_node {
    char op_type[48], name[160]; /* the name of its first output where the node has none */
    jl_keep_reason reason;
} jl_kept_node;

typedef struct jl_convert_summary {
    size_t nodes;                /* of the result, sub-graphs included */
    size_t converted, unchanged; /* nodes that compute in the 16-bit type; nodes without floats */
    size_t kept_count;           /* nodes that stayed in FP32; the first of them are listed */
    jl_kept_node kept[64];
    size_t casts;        /* Cast nodes added */
    size_t folded;       /* batch norms folded */
    size_t commuted;     /* MatMuls moved before a transpose (see doc/methodology.md) */
    uint64_t parameters; /* elements of initialisers converted */
    uint64_t saturated;  /* of them finite in FP32 and beyond the type's range: clamped */
} jl_convert_summary;

const char *jl_keep_reason_text(jl_keep_reason reason);

/* Reads the model at `from`, writes the converted one to `to` (which may be the same path; it is
 * replaced only when whole). JL_ERR_UNSUPPORTED when a value's type cannot be inferred (the node
 * is named), JL_ERR_USAGE when a name in `keep` matches nothing, and the errors of reading and
 * writing. */
int jl_convert_precision(const char *from, const char *to, const jl_convert_options *options,
                         jl_convert_summary *summary, jl_error *err);

#endif
