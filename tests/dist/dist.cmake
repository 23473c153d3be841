# The tarball of ./dev dist, made, unpacked elsewhere and used; and that it is refused when it must be.
if(NOT JL_SANITIZE)
    add_test(NAME dist.tarball COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_dist.py
        $<TARGET_FILE:jouleline>)
    set_tests_properties(dist.tarball PROPERTIES LABELS dist TIMEOUT 900 PROCESSORS 2)
endif()
