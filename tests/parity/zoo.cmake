# All fifteen models and the variant, as exported by default. The other ways to write a graph (styles,
# opsets, folding) are checked on models that hold every layer that they change.
add_test(NAME parity.zoo
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/zoo.py $<TARGET_FILE:jouleline> /usr/bin/python3)
set_tests_properties(parity.zoo PROPERTIES LABELS parity TIMEOUT 600 PROCESSORS 2)
