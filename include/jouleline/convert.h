/* Converting an FP32 ONNX model to a 16-bit floating-point type. Statically, no runtime is needed;
 * with samples the model is run on them, and what lacks headroom in half stays in FP32.
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
#include "jouleline/samples.h"

/* The largest half, and the max|x| of a value above which mixed precision keeps a node in FP32. */
#define JL_HALF_LARGEST   65504.0f
#define JL_HEADROOM_LIMIT (JL_HALF_LARGEST / 2)

/* Why a node stayed in FP32. */
typedef enum jl_keep_reason {
    JL_KEEP_OPERATOR, /* ONNX defines the operator without the 16-bit type at this opset */
    JL_KEEP_DOMAIN,   /* an operator of another domain: its types are not known */
    JL_KEEP_USER,     /* named by the caller, operator or node */
    JL_KEEP_RANGE,    /* a value that it reads or makes exceeds JL_HEADROOM_LIMIT on the samples */
    JL_KEEP_WEIGHT,   /* it reads a weight beyond JL_HALF_LARGEST (only with samples) */
    JL_KEEP_SHAPE,    /* arithmetic on shapes: half counts whole numbers exactly only to 2048 */
} jl_keep_reason;

typedef struct jl_convert_options {
    jl_dtype to;             /* JL_FLOAT16 or JL_BFLOAT16 */
    bool keep_io;            /* inputs and outputs of the model stay FP32 */
    bool keep_batch_norms;   /* do not fold */
    const char *const *keep; /* operator types or node names that stay in FP32 */
    size_t keep_count;
    /* Mixed precision (only to JL_FLOAT16): the FP32 model is run on these with ONNX Runtime, in
     * the calling process (so call in a child), and what lacks headroom in half stays in FP32. An
     * infinity counts as beyond every limit. NULL: static. */
    const jl_samples *samples;
    const char *scratch; /* path for the model that the range pass runs; removed afterwards, but not
                            by a crash */
} jl_convert_options;

typedef struct jl_kept_node {
    char op_type[48], name[160]; /* the name of its first output where the node has none */
    jl_keep_reason reason;
    char value[160]; /* JL_KEEP_RANGE, JL_KEEP_WEIGHT: the first value at fault, and its max|x| */
    float most;
} jl_kept_node;

typedef struct jl_convert_summary {
    size_t nodes;                /* of the result, sub-graphs included */
    size_t converted, unchanged; /* nodes that compute in the 16-bit type; nodes without floats */
    size_t kept_count;           /* nodes that stayed in FP32; the first of them are listed */
    jl_kept_node kept[64];
    size_t io_kept;      /* inputs and outputs of the model that stay FP32 for want of headroom */
    size_t casts;        /* Cast nodes added */
    size_t folded;       /* batch norms folded */
    size_t commuted;     /* MatMuls moved before a transpose (see doc/models.md) */
    uint64_t parameters; /* elements of initialisers converted */
    uint64_t saturated;  /* of them finite in FP32 and beyond the type's range: clamped */
    uint64_t left;       /* elements of float initialisers that stay FP32 */
    int64_t macs, macs_left; /* of the result, and those computed in FP32, at a batch of 1 (see
                                cost.h); counted where nodes are kept; macs 0: none or not known */
    size_t calls;            /* on the samples */
    size_t observed;         /* values whose range was seen on them */
    size_t unobserved; /* nodes inside branches and loops, whose values the samples do not show */
} jl_convert_summary;

const char *jl_keep_reason_text(jl_keep_reason reason); /* in words */

/* Reads the model at `from`, writes the converted one to `to` (which may be the same path; it is
 * replaced only when whole). JL_ERR_UNSUPPORTED when a value's type cannot be inferred (the node
 * is named), JL_ERR_USAGE when a name in `keep` matches nothing or there is no sample,
 * JL_ERR_FORMAT when a value is NaN on the samples already in FP32 (it is named), and the errors of
 * reading, writing and running. */
int jl_convert_precision(const char *from, const char *to, const jl_convert_options *options,
                         jl_convert_summary *summary, jl_error *err);

#endif
