/* What the tests of every runtime share: small models in a folder of their own, inputs for them,
 * and tables of what must be refused. With cmocka: failures end the test. */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session.h"

typedef struct fixture {
    char relu[64], relu16[64]; /* y = Relu(x + x) over [batch, 4]: float, float16 */
    char gather[64];           /* Gather of ten rows by `ids`, and `attention_mask` as it is */
    char unknown[64];          /* an operator that nobody has */
    char broken[64];           /* no ONNX file */
    char nan[64];              /* y = Log(x) */
    char scratch[64];          /* no file yet; removed with the others */
} fixture;
extern fixture models;

/* Group set-up and tear-down. */
int models_make(void **state);
int models_remove(void **state);

extern float relu_x[2][4];
jl_tensor relu_input(void); /* over relu_x */
/* The session's last outputs are those of the relu models over relu_x, as `dtype`. */
void check_relu(session *s, jl_dtype dtype);
/* One call; fails the test with the runtime's words. */
void infer(session *s);

typedef struct gather_inputs {
    int64_t ids[3], mask[3];
    jl_tensor t[2]; /* attention_mask, ids: not in the model's order */
} gather_inputs;
void gather_fill(gather_inputs *g, const int64_t ids[3]);

/* Rows 9, 0 and 4 of the gather model are right, the last named as `four` (4, or -6 from the end),
 * and leaving out `ids` is refused. */
void check_gather(const char *configuration, int64_t four);

/* Loading `model` with relu_input must fail with this code and these words. */
typedef struct refusal {
    const char *configuration, *model, *words;
    int code;
} refusal;
void check_refusals(const refusal *cases, size_t n);

#endif
