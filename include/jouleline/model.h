/* A model to look at without running it: what goes in and out, what it is made of, its hash.
 *
 * Opening maps the file and reads its graph; weights are never copied or touched. All strings
 * live as long as the model. Not thread safe: one model, one thread. */
#ifndef JOULELINE_MODEL_H
#define JOULELINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/dtype.h"
#include "jouleline/error.h"

typedef struct jl_model jl_model;

/* A size along one axis. */
typedef struct jl_size {
    int64_t value;      /* -1 when it is not a plain number */
    const char *symbol; /* the name of a free dimension ("batch"), else NULL */
    const char *text;   /* "224", "batch", "batch*49", "?3" for one that depends on values */
} jl_size;

typedef enum jl_port_kind {
    JL_PORT_TENSOR,
    JL_PORT_SEQUENCE,
    JL_PORT_OPTIONAL,
    JL_PORT_OTHER,
} jl_port_kind;

/* An input or an output of the model. */
typedef struct jl_port {
    const char *name;
    jl_port_kind kind;
    jl_dtype dtype; /* JL_UNDEFINED when not known */
    int rank;       /* -1 when not known; 0 for a scalar */
    const jl_size *sizes;
    bool has_default; /* an input that an initializer fills when it is not given */
} jl_port;

/* Opens an ONNX file, or a model of the zoo by name. A name that holds a '/' or ends in ".onnx"
 * is a file, anything else the zoo's; a misspelt one is JL_ERR_MISSING with the nearest name.
 * JL_ERR_FORMAT or JL_ERR_LIMIT name the file and the node or value at fault. */
int jl_model_open(const char *name_or_path, jl_model **model, jl_error *err);
void jl_model_close(jl_model *m); /* NULL is fine */

/* Inputs that must be given, and outputs, in the model's order. */
const jl_port *jl_model_inputs(const jl_model *m, size_t *n);
const jl_port *jl_model_outputs(const jl_model *m, size_t *n);

const char *jl_model_family(const jl_model *m);   /* NULL for a file */
const char *jl_model_producer(const jl_model *m); /* "pytorch 1.13.1", "" when not said */
int64_t jl_model_opset(const jl_model *m);        /* of ai.onnx; 0 when not imported */
int64_t jl_model_file_bytes(const jl_model *m);   /* 0 for a model of the zoo */
size_t jl_model_nodes(const jl_model *m);         /* sub-graphs included */

/* Operator types and the number of their nodes, the most frequent first. */
typedef struct jl_op_count {
    const char *op;
    size_t nodes;
} jl_op_count;
const jl_op_count *jl_model_ops(const jl_model *m, size_t *n);

/* What its arithmetic is by the file: JL_INT8 where values are quantised by nodes of the graph,
 * JL_FLOAT16 or JL_BFLOAT16 where initialisers are of that type (all or some of them), else
 * JL_FLOAT. Initialisers inside branches and loops are not looked at. */
jl_dtype jl_model_arithmetic(const jl_model *m);

/* Content address: xxHash128 in 32 hexadecimal digits of the file's bytes, or of the bytes that
 * export would write for a model of the zoo, followed by those of every external data file in
 * the order of first use. Reads all of them. */
int jl_model_hash(jl_model *m, char hex[33], jl_error *err);

/* Free dimensions of the inputs ("batch", "height"), in order of appearance. */
const char *const *jl_model_symbols(const jl_model *m, size_t *n);
/* The one that counts items: called batch, N, B or something with "batch" in it, else the first
 * axis of the first input when that is free. NULL: the batch is fixed. */
const char *jl_model_batch_symbol(const jl_model *m);
/* Gives a free dimension its value (>= 0); JL_ERR_MISSING when there is no such dimension. */
int jl_model_bind(jl_model *m, const char *symbol, int64_t value, jl_error *err);
/* The same from words: "input=Bx3x224x224", B being the batch. Every number must fit the
 * declared shape. JL_ERR_USAGE says what does not. */
int jl_model_bind_shape(jl_model *m, const char *words, int64_t batch, jl_error *err);

/* What an integer input picks from: it reaches the indices of a Gather from a table of that many
 * rows, through nodes that pass values on. False when it reaches none. */
typedef struct jl_input_bound {
    int64_t rows;     /* values must lie in [0, rows) */
    const char *node; /* label of the Gather */
} jl_input_bound;
bool jl_model_input_bound(const jl_model *m, size_t input, jl_input_bound *bound);

#endif
