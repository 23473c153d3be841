/* The graph of an ONNX file as the plan that the libtorch shim runs. */
#ifndef JL_RUNTIME_LIBTORCH_PLAN_BUILD_H
#define JL_RUNTIME_LIBTORCH_PLAN_BUILD_H

#include "jouleline/runtime.h"
#include "model/onnx/onnx.h"
#include "runtime/libtorch/plan.h"

/* Everything in the file's arena or mapping: the plan lives as long as the open file.
 * `inputs` (request->input_count of them) get the request's tensors with their value numbers;
 * those whose floating type differs from the file's are cast, when `cast_inputs` is set, into
 * memory of the arena. JL_ERR_UNSUPPORTED for sub-graphs, foreign domains, sparse constants;
 * JL_ERR_USAGE for an input that was not given. */
int libtorch_make_plan(onnx_file *file, const jl_load_request *request, bool cast_inputs,
                       jl_torch_plan *plan, jl_plan_tensor *inputs, jl_error *err);

#endif
