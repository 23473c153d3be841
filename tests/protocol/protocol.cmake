# The worker protocol, driven from Python's standard library. The workers of pytorch run in the
# system's Python, which has Debian's torch; never in the venv of the other tests.
add_test(NAME protocol.pytorch
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/test_pytorch.py)
set_tests_properties(protocol.pytorch PROPERTIES LABELS "protocol" TIMEOUT 300
    ENVIRONMENT "JOULELINE_NVRTC=${PROJECT_BINARY_DIR}/lib/jouleline/nvrtc;JOULELINE_FAKE_NVRTC=${PROJECT_BINARY_DIR}/plugins/fake_nvrtc.so")
foreach(name worker run)
    add_test(NAME protocol.${name} COMMAND /usr/bin/python3 -B
        ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py $<TARGET_FILE:jouleline>)
    set_tests_properties(protocol.${name} PROPERTIES LABELS "protocol" TIMEOUT 300)
endforeach()
