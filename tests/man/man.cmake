# The generated pages are valid and the program's own page names every command.
find_program(MANDOC mandoc)
if(SCDOC AND MANDOC)
    add_test(NAME golden.man_pages COMMAND ${CMAKE_CURRENT_LIST_DIR}/check.sh
        $<TARGET_FILE:jouleline> ${PROJECT_BINARY_DIR}/share/man/man1)
    set_tests_properties(golden.man_pages PROPERTIES LABELS golden TIMEOUT 60)
endif()
