add_test(NAME parity.convert_half
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_half.py $<TARGET_FILE:jouleline>)
set_tests_properties(parity.convert_half PROPERTIES LABELS parity TIMEOUT 300)

add_test(NAME parity.convert_zoo COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_zoo.py
    $<TARGET_FILE:jouleline> shufflenet_v2_x1_0 swin_t)
set_tests_properties(parity.convert_zoo PROPERTIES LABELS parity TIMEOUT 300)
add_test(NAME slow.convert_zoo
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_zoo.py $<TARGET_FILE:jouleline>)
set_tests_properties(slow.convert_zoo PROPERTIES LABELS slow TIMEOUT 900)
add_test(NAME parity.quantize
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/quantize.py $<TARGET_FILE:jouleline>
        $<TARGET_FILE:plugin_crash_ort>)
set_tests_properties(parity.quantize PROPERTIES LABELS parity TIMEOUT 300)

# What Debian's torch exports, with its Python.
add_test(NAME parity.convert_exports
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_exports.py /usr/bin/python3
        $<TARGET_FILE:jouleline> swin_t:17)
set_tests_properties(parity.convert_exports PROPERTIES LABELS parity TIMEOUT 300 PROCESSORS 2)
add_test(NAME slow.convert_exports
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_exports.py /usr/bin/python3
        $<TARGET_FILE:jouleline>)
set_tests_properties(slow.convert_exports PROPERTIES LABELS slow TIMEOUT 1800 PROCESSORS 2)

add_test(NAME parity.convert_mixed
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/convert_mixed.py $<TARGET_FILE:jouleline>
        $<TARGET_FILE:plugin_crash_ort>)
set_tests_properties(parity.convert_mixed PROPERTIES LABELS parity TIMEOUT 300 PROCESSORS 2)
