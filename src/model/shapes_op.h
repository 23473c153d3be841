/* What the operator families of shape inference share: the node at hand, its inputs and outputs,
 * and the ways to say what an output is. Private to src/model. */
#ifndef JL_MODEL_SHAPES_OP_H
#define JL_MODEL_SHAPES_OP_H

#include "model/shapes.h"

/* Tensors of more elements than this are not followed. */
enum { JL_MAX_CONTENTS = 2048, JL_MAX_INFERRED_RANK = 32 };

typedef struct op {
    jl_shapes *s;
    jl_dims *d;
    const jl_node *n;
    const onnx_node *o;
    uint32_t node;
    int64_t opset; /* of the node's domain */
    jl_error *err;
} op;

/* The element type of an output: that of an input (0 to 9), or a rule. */
enum {
    TYPE_NONE = 10, /* the shape function sets it */
    TYPE_FLOAT,
    TYPE_INT64,
    TYPE_INT32,
    TYPE_BOOL,
    TYPE_UINT8,
    TYPE_STRING,
    TYPE_TO,        /* attribute `to` */
    TYPE_DTYPE,     /* attribute `dtype`, else float */
    TYPE_DTYPE_IN0, /* attribute `dtype`, else input 0's */
    TYPE_OUT_DTYPE, /* attribute `output_datatype`, else float */
    TYPE_STASH,     /* attribute `stash_type`, else float */
};

typedef struct op_rule {
    const char *name;
    uint8_t types[4];      /* by output; the last one set goes on for the rest */
    int (*shape)(op *);    /* sets the outputs' shapes, or NULL: not known */
    int (*contents)(op *); /* sets the outputs' contents where the inputs' are known, or NULL */
    const char *domain;    /* NULL for ai.onnx */
} op_rule;

const op_rule *op_find(jl_str domain, jl_str type);
/* Infers one scope whose inputs are set. */
int op_infer_scope(jl_shapes *s, uint32_t scope, jl_error *err);

/* JL_ERR_FORMAT with the node's label in front. */
int op_fail(const op *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int op_no_memory(const op *c);

const jl_info *op_in(const op *c, uint32_t i); /* NULL when left out */
jl_info *op_out(const op *c, uint32_t i);      /* NULL when left out */
/* Input i with its rank known, or NULL. */
const jl_info *op_ranked(const op *c, uint32_t i);

/* Sets shape and kind of output i (nothing when it is left out); dims are copied. */
int op_shape(op *c, uint32_t i, int rank, const jl_dim *dims);
int op_same_shape(op *c, uint32_t i, const jl_info *as);
int op_shape_1d(op *c, uint32_t i, jl_dim n);
int op_scalar(op *c, uint32_t i);
/* Rank known, every dimension unknown. */
int op_unknown_dims(op *c, uint32_t i, int rank);
void op_dtype(op *c, uint32_t i, int dtype);

/* Attributes. */
int64_t op_i(const op *c, const char *name, int64_t otherwise);
const onnx_attribute *op_attribute(const op *c, const char *name);
/* An axis of a tensor of that rank, negative counted from the end; error outside. */
int op_axis(const op *c, int64_t axis, int rank, int *out);

/* Contents. */
/* The elements of input i, read from its initializer where it is one; NULL when not known. */
const jl_elem *op_elems(op *c, uint32_t i, uint32_t *n);
/* The integers of input i: unknown elements become unknown symbols. False when even the number
 * of elements is not known. */
bool op_ints(op *c, uint32_t i, jl_dim **ints, uint32_t *n);
/* The same where all of them are plain numbers. */
bool op_constants(op *c, uint32_t i, int64_t **values, uint32_t *n);
/* A list that is an attribute in old opsets and an input in new ones: 1 found, 0 absent, -1
 * present but not known, or an error below that. */
int op_list(op *c, const char *attribute, uint32_t input, int64_t **values, uint32_t *n);
/* Room for the contents of output i, all elements unknown; NULL when there are too many or the
 * shape is not constant. */
jl_elem *op_new_elems(op *c, uint32_t i, uint32_t *n);
/* Contents of a tensor message that is small enough; NULL otherwise. */
jl_elem *op_tensor_elems(op *c, const onnx_tensor *t, uint32_t *n);
/* Number of elements where all dims are plain numbers below the limit, or -1. */
int64_t op_small_count(const jl_info *v);

jl_elem elem_int(jl_dim k);
jl_elem elem_real(double x);
/* A double constant in any case; false for symbolic or unknown. */
bool elem_number(jl_elem e, double *x);
/* An integer expression; false for fractions and unknown. */
bool elem_dim(jl_elem e, jl_dim *k);

/* Two shapes broadcast against each other into dims (room for JL_MAX_INFERRED_RANK); the rank,
 * or an error. */
int op_broadcast(op *c, const jl_dim *a, int rank_a, const jl_dim *b, int rank_b, jl_dim *dims);
/* Product of dims[from..to). */
jl_dim op_product(op *c, const jl_dim *dims, int from, int to);

/* Shape functions, by family; the table in shapes_table.c says which operator uses which. */
int op_same(op *c);       /* outputs shaped like input 0 */
int op_first_same(op *c); /* output 0 like input 0, the others scalars of no interest */
int op_broadcast_all(op *c);
int op_where(op *c);
int op_scalar_out(op *c);
int op_batch_norm(op *c);
int op_layer_norm(op *c);
int op_dropout(op *c);
int op_reduce(op *c);
int op_arg_reduce(op *c);
int op_dynamic_quantize(op *c);
int op_quantize(op *c);

int op_conv(op *c);
int op_qlinear_conv(op *c);
int op_conv_transpose(op *c);
int op_pool(op *c);
int op_global_pool(op *c);
int op_roi_align(op *c);
int op_max_roi_pool(op *c);
int op_max_unpool(op *c);
int op_deform_conv(op *c);
int op_col2im(op *c);

int op_matmul(op *c);
int op_qlinear_matmul(op *c);
int op_gemm(op *c);
int op_einsum(op *c);
int op_rnn(op *c);
int op_attention(op *c);
int op_det(op *c);

int op_reshape(op *c);
int op_flatten(op *c);
int op_transpose(op *c);
int op_squeeze(op *c);
int op_unsqueeze(op *c);
int op_expand(op *c);
int op_tile(op *c);
int op_pad(op *c);
int op_concat(op *c);
int op_split(op *c);
int op_slice(op *c);
int op_depth_to_space(op *c);
int op_space_to_depth(op *c);
int op_resize(op *c);
int op_center_crop_pad(op *c);

int op_shape_of(op *c);
int op_size_of(op *c);
int op_constant(op *c);
int op_constant_of_shape(op *c);
int op_range(op *c);
int op_gather(op *c);
int op_gather_elements(op *c);
int op_gather_nd(op *c);
int op_one_hot(op *c);
int op_top_k(op *c);
int op_non_zero(op *c);
int op_compress(op *c);
int op_unique(op *c);
int op_random(op *c);
int op_multinomial(op *c);
int op_grid_sample(op *c);
int op_affine_grid(op *c);
int op_nms(op *c);
int op_dft(op *c);
int op_stft(op *c);
int op_window(op *c);
int op_mel(op *c);
int op_loss(op *c);
int op_string_normalizer(op *c);
int op_string_split(op *c);
int op_tfidf(op *c);
int op_image_decoder(op *c);
int op_optimizer(op *c);
int op_gradient(op *c);

int op_identity(op *c);
int op_call(op *c);
int op_if(op *c);
int op_loop(op *c);
int op_scan(op *c);
int op_sequence_construct(op *c);
int op_sequence_empty(op *c);
int op_sequence_at(op *c);
int op_sequence_insert(op *c);
int op_sequence_erase(op *c);
int op_sequence_map(op *c);
int op_split_to_sequence(op *c);
int op_concat_from_sequence(op *c);
int op_optional(op *c);
int op_optional_get(op *c);

/* Contents functions. */
int contents_copy(op *c);   /* the elements of input 0, reshaped */
int contents_binary(op *c); /* Add, Sub, Mul, Div, Mod, Pow, Min, Max, comparisons, And, Or */
int contents_unary(op *c);  /* Neg, Abs, Floor, Ceil, Round, Sqrt, Not, ... */
int contents_cast(op *c);
int contents_where(op *c);
int contents_gather(op *c);
int contents_slice(op *c);
int contents_concat(op *c);
int contents_split(op *c);
int contents_expand(op *c); /* Expand, Tile: index modulo */
int contents_transpose(op *c);
int contents_reduce(op *c);
int contents_range(op *c);
int contents_scatter_nd(op *c);
int contents_non_zero(op *c);

#endif
