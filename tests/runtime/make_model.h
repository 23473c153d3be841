/* Small ONNX files for the tests of the runtimes, written by our own encoder. */
#ifndef TEST_MAKE_MODEL_H
#define TEST_MAKE_MODEL_H

#include <stdint.h>

/* y = Relu(x + x) over a tensor type of `rank` named or fixed dimensions (dims -1: named "batch").
 */
void make_relu_model(const char *path, int dtype, int rank, const int64_t *dims);
/* One node of any name, x -> y, float [n]; opset 17. */
void make_one_node_model(const char *path, const char *op, int64_t n);
/* Gather(table [rows, 2], ids int64 [batch, 3]) + Cast(mask int64): two integer inputs. */
void make_gather_model(const char *path, int64_t rows);

#endif
