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

# All of them together, in C and in C++, and every header in C with the private ones: no name is
# given to two things. Only machine.h and session.h of the libtorch shim are C++.
set(together ${PROJECT_BINARY_DIR}/headers)
file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/cli/*.h)
list(FILTER headers EXCLUDE REGEX "src/runtime/libtorch/(machine|session)\\.h$")
list(TRANSFORM public_headers REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE public)
list(TRANSFORM headers REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE private)
string(CONCAT public ${public})
string(CONCAT private ${private})
file(GENERATE OUTPUT ${together}/public.c CONTENT "${public}")
file(GENERATE OUTPUT ${together}/public.cc CONTENT "extern \"C\" {\n${public}}\n")
file(GENERATE OUTPUT ${together}/all.c CONTENT "${public}${private}")
find_program(JL_CXX NAMES g++ clang++ c++ REQUIRED)
set(strict -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I ${PROJECT_SOURCE_DIR}/include)
add_test(NAME layering.headers_together COMMAND ${CMAKE_C_COMPILER} -std=c17 -D_POSIX_C_SOURCE=200809L
    ${strict} ${together}/public.c)
add_test(NAME layering.headers_together_in_cxx COMMAND ${JL_CXX} -std=c++17 ${strict} ${together}/public.cc)
add_test(NAME layering.all_headers_together COMMAND ${CMAKE_C_COMPILER} -std=gnu17 -Werror -fsyntax-only
    -I ${PROJECT_SOURCE_DIR}/include -I ${PROJECT_SOURCE_DIR}/src ${together}/all.c)
set_tests_properties(layering.headers_together layering.headers_together_in_cxx
    layering.all_headers_together PROPERTIES LABELS layering TIMEOUT 60)
