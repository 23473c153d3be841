# Torch and ONNX Runtime use two threads each, one after the other.
add_test(NAME parity.zoo
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/zoo.py $<TARGET_FILE:jouleline> /usr/bin/python3)
set_tests_properties(parity.zoo PROPERTIES LABELS parity TIMEOUT 900 PROCESSORS 2)

add_test(NAME parity.zoo_health
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/zoo_health.py $<TARGET_FILE:jouleline>
            mobilenet_v3_small shufflenet_v2_x1_0 mnasnet1_0 resnet18 efficientnet_b3+overflow)
set_tests_properties(parity.zoo_health PROPERTIES LABELS parity TIMEOUT 600 PROCESSORS 2)
add_test(NAME slow.zoo_health
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/zoo_health.py $<TARGET_FILE:jouleline>)
set_tests_properties(slow.zoo_health PROPERTIES LABELS slow TIMEOUT 1800 PROCESSORS 2)

# The committed statistics, computed again.
set(statistics /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tools/zoo_statistics.py --check
    --jouleline $<TARGET_FILE:jouleline>)
add_test(NAME parity.zoo_statistics COMMAND ${statistics} mobilenet_v3_small shufflenet_v2_x1_0 resnet18)
set_tests_properties(parity.zoo_statistics PROPERTIES LABELS parity TIMEOUT 600 PROCESSORS 2)
add_test(NAME slow.zoo_statistics COMMAND ${statistics})
set_tests_properties(slow.zoo_statistics PROPERTIES LABELS slow TIMEOUT 1800 PROCESSORS 2)
