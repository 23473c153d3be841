add_test(NAME parity.convert_half
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_half.py $<TARGET_FILE:jouleline>)
set_tests_properties(parity.convert_half PROPERTIES LABELS parity TIMEOUT 300)
