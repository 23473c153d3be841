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
