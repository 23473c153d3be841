add_executable(onnx_roundtrip ${CMAKE_CURRENT_LIST_DIR}/onnx_roundtrip.c)
target_link_libraries(onnx_roundtrip PRIVATE jl_model)
add_test(NAME parity.onnx_roundtrip
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/onnx_roundtrip.py $<TARGET_FILE:onnx_roundtrip>)
set_tests_properties(parity.onnx_roundtrip PROPERTIES LABELS "parity" TIMEOUT 300)
