# Torch and ONNX Runtime use two threads each, one after the other.
add_test(NAME parity.zoo
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/zoo.py $<TARGET_FILE:jouleline> /usr/bin/python3)
set_tests_properties(parity.zoo PROPERTIES LABELS parity TIMEOUT 600 PROCESSORS 2)
