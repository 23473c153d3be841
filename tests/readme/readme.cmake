# The README's examples, './dev demo' among them: it measures for two to three minutes.
if(NOT JL_SANITIZE)
    add_test(NAME golden.readme COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_readme.py ${PROJECT_BINARY_DIR})
    set_tests_properties(golden.readme PROPERTIES LABELS golden TIMEOUT 1800 RUN_SERIAL ON)
endif()
