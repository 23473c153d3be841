add_test(NAME layering.tree COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check.py
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
add_test(NAME layering.faults_are_found COMMAND ${JL_PYTHON}
    ${CMAKE_CURRENT_LIST_DIR}/check_finds_faults.py ${PROJECT_SOURCE_DIR})
set_tests_properties(layering.tree layering.faults_are_found PROPERTIES LABELS layering TIMEOUT 120)

# Every public header compiles by itself, as C17 without extensions.
file(GLOB public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/jouleline/*.h)
foreach(header IN LISTS public_headers)
    get_filename_component(name ${header} NAME_WE)
    add_test(NAME layering.header_${name} COMMAND ${CMAKE_C_COMPILER} -std=c17 -D_POSIX_C_SOURCE=200809L
        -Wall -Wextra -Werror -fsyntax-only -I ${PROJECT_SOURCE_DIR}/include -x c ${header})
    set_tests_properties(layering.header_${name} PROPERTIES LABELS layering TIMEOUT 60)
endforeach()
