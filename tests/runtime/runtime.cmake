# The runtimes with their real libraries, which ./dev puts into build/runtimes. Apart from the
# unit tests, which run without them.
add_library(runtime_tests STATIC ${CMAKE_CURRENT_LIST_DIR}/make_model.c
    ${CMAKE_CURRENT_LIST_DIR}/session.c)
target_link_libraries(runtime_tests PUBLIC jl_runtime)
target_include_directories(runtime_tests PUBLIC ${CMAKE_CURRENT_LIST_DIR})
add_library(runtime_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/fixture.c)
target_link_libraries(runtime_fixture PUBLIC runtime_tests PkgConfig::cmocka)
foreach(name ort openvino onnx_testdata)
    add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
    target_link_libraries(test_${name} PRIVATE runtime_fixture)
    add_test(NAME runtime.${name} COMMAND test_${name})
    set_tests_properties(runtime.${name} PROPERTIES LABELS "runtime" TIMEOUT 120)
endforeach()

add_test(NAME runtime.own_models
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_own_models.py $<TARGET_FILE:jouleline>
        ${PROJECT_SOURCE_DIR}/build/testdata)
set_tests_properties(runtime.own_models PROPERTIES LABELS "runtime" TIMEOUT 300)

add_test(NAME runtime.converters
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_converters.py $<TARGET_FILE:jouleline>
        $<TARGET_FILE:plugin_crash_ort>)
set_tests_properties(runtime.converters PROPERTIES LABELS "runtime" TIMEOUT 300)

# Libraries given by path: an execution provider of others, and other releases of ONNX Runtime.
add_test(NAME runtime.libraries
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_libraries.py $<TARGET_FILE:jouleline>
        $<TARGET_FILE:plugin_relu_ep> ${PROJECT_BINARY_DIR}/fake_driver/spy_ort.so)
set_tests_properties(runtime.libraries PROPERTIES LABELS "runtime" TIMEOUT 120)

# Providers that this machine lacks: a library that notes what is asked of them.
set(fake_driver ${PROJECT_BINARY_DIR}/fake_driver)
add_library(fake_libcuda MODULE ${PROJECT_SOURCE_DIR}/tests/plugins/fake_libcuda.c)
target_link_libraries(fake_libcuda PRIVATE jl_flags)
set_target_properties(fake_libcuda PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1
    LIBRARY_OUTPUT_DIRECTORY ${fake_driver})
add_library(spy_ort MODULE ${CMAKE_CURRENT_LIST_DIR}/spy_ort.c)
target_link_libraries(spy_ort PRIVATE jl_flags ${CMAKE_DL_LIBS})
set_target_properties(spy_ort PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${fake_driver})
add_executable(test_ort_providers ${CMAKE_CURRENT_LIST_DIR}/test_ort_providers.c)
target_link_libraries(test_ort_providers PRIVATE runtime_fixture)
target_compile_definitions(test_ort_providers PRIVATE JL_SPY_ORT="${fake_driver}/spy_ort.so")
add_dependencies(test_ort_providers spy_ort fake_libcuda)
add_test(NAME runtime.ort_providers COMMAND test_ort_providers)
set(real_ort ${PROJECT_SOURCE_DIR}/build/runtimes/onnxruntime/libonnxruntime.so.1)
set_tests_properties(runtime.ort_providers PROPERTIES LABELS "runtime" TIMEOUT 120 ENVIRONMENT
    "LD_LIBRARY_PATH=${fake_driver};SPY_ORT_REAL=${real_ort};JOULELINE_CUDA_LIBS=${fake_driver}")
