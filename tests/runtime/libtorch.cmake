# libtorch against the torch that is here: its shim is built once by the script that users run,
# into a cache inside the build folder.
set(torch_cache ${PROJECT_BINARY_DIR}/torch)
add_test(NAME runtime.libtorch_shim COMMAND ${PROJECT_SOURCE_DIR}/tools/build_libtorch_shim.sh
    --python /usr/bin/python3 --cache ${torch_cache})
set_tests_properties(runtime.libtorch_shim PROPERTIES LABELS "runtime" TIMEOUT 600
    FIXTURES_SETUP libtorch_shim)

add_test(NAME runtime.libtorch_shim_refusals COMMAND ${CMAKE_CURRENT_LIST_DIR}/shim_refusals.sh
    ${PROJECT_SOURCE_DIR}/tools/build_libtorch_shim.sh ${torch_cache})
set_tests_properties(runtime.libtorch_shim_refusals PROPERTIES LABELS "runtime" TIMEOUT 120
    FIXTURES_REQUIRED libtorch_shim)

# What the shim exports, torch takes instead of its own: nothing but the entry may be seen.
add_test(NAME runtime.libtorch_exports COMMAND sh -c
    "nm -D --defined-only $1 | cut -d' ' -f3 | tee /dev/stderr | cmp - $2" --
    ${torch_cache}/libtorch/current/libjouleline_torch.so
    ${CMAKE_CURRENT_LIST_DIR}/libtorch_exports.txt)
set_tests_properties(runtime.libtorch_exports PROPERTIES LABELS "runtime" TIMEOUT 60
    FIXTURES_REQUIRED libtorch_shim)

add_executable(compare_zoo ${CMAKE_CURRENT_LIST_DIR}/compare_zoo.c)
target_link_libraries(compare_zoo PRIVATE runtime_tests)
add_test(NAME runtime.libtorch_zoo COMMAND compare_zoo 1 1e-4
    ort-cpu/fp32+threads=2 libtorch-cpu/fp32+threads=2)
add_test(NAME runtime.libtorch_torchscript_style COMMAND compare_zoo 2 1e-4
    ort-cpu/fp32+threads=2 libtorch-cpu/fp32+threads=2 vit_b_16:ts swin_t:ts mobilenet_v3_small:ts)
add_executable(test_libtorch ${CMAKE_CURRENT_LIST_DIR}/test_libtorch.c)
target_link_libraries(test_libtorch PRIVATE runtime_fixture)
add_test(NAME runtime.libtorch COMMAND test_libtorch)
add_test(NAME runtime.libtorch_trace COMMAND ${CMAKE_CURRENT_LIST_DIR}/libtorch_trace.sh
    $<TARGET_FILE:jouleline> $<TARGET_FILE:compare_zoo>
    ${PROJECT_SOURCE_DIR}/share/jouleline/torchscript_model.py resnet18 swin_t)
set_tests_properties(runtime.libtorch_trace runtime.libtorch_zoo runtime.libtorch_torchscript_style runtime.libtorch
    PROPERTIES LABELS "runtime" TIMEOUT 600 PROCESSORS 2 FIXTURES_REQUIRED libtorch_shim
    ENVIRONMENT "JOULELINE_LIBTORCH=${torch_cache}/libtorch/current/libjouleline_torch.so")

# Every operator against the node tests of ONNX, with Debian's recorded inputs and outputs.
add_executable(run_cases ${CMAKE_CURRENT_LIST_DIR}/run_cases.c)
target_link_libraries(run_cases PRIVATE runtime_tests)
add_test(NAME runtime.libtorch_operators COMMAND ${JL_PYTHON}
    ${CMAKE_CURRENT_LIST_DIR}/libtorch_operators.py $<TARGET_FILE:run_cases>
    /usr/share/libonnx-testdata/data)
set_tests_properties(runtime.libtorch_operators PROPERTIES LABELS "runtime" TIMEOUT 300
    FIXTURES_REQUIRED libtorch_shim
    ENVIRONMENT "JOULELINE_LIBTORCH=${torch_cache}/libtorch/current/libjouleline_torch.so")

add_test(NAME runtime.check
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_check.py $<TARGET_FILE:jouleline>
        $<TARGET_FILE:plugin_crash_ort>)
set_tests_properties(runtime.check PROPERTIES LABELS "runtime" TIMEOUT 300
    FIXTURES_REQUIRED libtorch_shim
    ENVIRONMENT "JOULELINE_LIBTORCH=${torch_cache}/libtorch/current/libjouleline_torch.so")

# CUDA without a GPU: torch's CUDA library and the driver are ones of our own, in host memory.
set(fake_cuda ${torch_cache}/fake)
add_test(NAME runtime.fake_torch_cuda COMMAND ${CMAKE_CURRENT_LIST_DIR}/build_fake_torch_cuda.sh
    ${CMAKE_CURRENT_LIST_DIR}/fake_torch_cuda.cc ${fake_cuda})
set_tests_properties(runtime.fake_torch_cuda PROPERTIES LABELS "runtime" TIMEOUT 600
    FIXTURES_SETUP fake_torch_cuda)
add_executable(test_libtorch_cuda ${CMAKE_CURRENT_LIST_DIR}/test_libtorch_cuda.c)
target_link_libraries(test_libtorch_cuda PRIVATE runtime_fixture)
add_dependencies(test_libtorch_cuda fake_libcuda)
add_test(NAME runtime.libtorch_cuda COMMAND test_libtorch_cuda)
add_test(NAME runtime.libtorch_cuda_zoo COMMAND compare_zoo 1 1e-4
    ort-cpu/fp32+threads=2 libtorch-cuda/fp32+threads=2)
# MALLOC_PERTURB_: what is freed is overwritten, so that reading it later is seen.
set_tests_properties(runtime.libtorch_cuda runtime.libtorch_cuda_zoo PROPERTIES
    LABELS "runtime" TIMEOUT 600 PROCESSORS 2 FIXTURES_REQUIRED "libtorch_shim;fake_torch_cuda"
    ENVIRONMENT "JOULELINE_LIBTORCH=${torch_cache}/libtorch/current/libjouleline_torch.so;LD_LIBRARY_PATH=${fake_cuda}:${PROJECT_BINARY_DIR}/fake_driver;MALLOC_PERTURB_=165")
set_tests_properties(runtime.libtorch_cuda_zoo PROPERTIES LABELS "runtime;slow")

add_test(NAME runtime.interpreter COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_interpreter.py
    $<TARGET_FILE:jouleline> ${PROJECT_SOURCE_DIR}/share/jouleline/torchscript_model.py)
set_tests_properties(runtime.interpreter PROPERTIES LABELS "runtime" TIMEOUT 300 PROCESSORS 2
    FIXTURES_REQUIRED libtorch_shim
    ENVIRONMENT "JOULELINE_LIBTORCH=${torch_cache}/libtorch/current/libjouleline_torch.so")
