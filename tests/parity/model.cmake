add_executable(onnx_roundtrip ${CMAKE_CURRENT_LIST_DIR}/onnx_roundtrip.c)
target_link_libraries(onnx_roundtrip PRIVATE jl_model)
add_test(NAME parity.onnx_roundtrip
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/onnx_roundtrip.py $<TARGET_FILE:onnx_roundtrip>)
set_tests_properties(parity.onnx_roundtrip PROPERTIES LABELS "parity" TIMEOUT 300)

add_executable(infer_shapes ${CMAKE_CURRENT_LIST_DIR}/infer_shapes.c)
target_link_libraries(infer_shapes PRIVATE jl_model)
add_test(NAME parity.backend_shapes
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/backend_shapes.py $<TARGET_FILE:infer_shapes>)
set_tests_properties(parity.backend_shapes PROPERTIES LABELS "parity" TIMEOUT 300)

# Debian's Python, which has torch and torchvision.
add_test(NAME parity.torch_cost
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/torch_cost.py /usr/bin/python3
        $<TARGET_FILE:jouleline> ${PROJECT_SOURCE_DIR}/tests/fixtures/zoo_oracle.tsv)
set_tests_properties(parity.torch_cost PROPERTIES LABELS "parity" TIMEOUT 600)

add_test(NAME parity.onnx_types
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/onnx_types.py $<TARGET_FILE:infer_shapes>)
set_tests_properties(parity.onnx_types PROPERTIES LABELS "parity" TIMEOUT 300)
