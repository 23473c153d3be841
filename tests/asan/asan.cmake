# The unit tests once more with the address and undefined-behaviour sanitizers: the asan preset
# is built as the first of these tests, the others run its programs.
if(NOT JL_SANITIZE)
    set(asan ${PROJECT_SOURCE_DIR}/build/asan)
    set(launcher "")
    if(CMAKE_C_COMPILER_LAUNCHER)
        set(launcher -DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER})
    endif()
    add_test(NAME asan.configure COMMAND ${CMAKE_COMMAND} --preset asan ${launcher}
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    add_test(NAME asan.build COMMAND ${CMAKE_COMMAND} --build --preset asan -j 2
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(asan.configure PROPERTIES FIXTURES_SETUP asan_configured LABELS asan TIMEOUT 120)
    set_tests_properties(asan.build PROPERTIES FIXTURES_REQUIRED asan_configured
        FIXTURES_SETUP asan LABELS asan TIMEOUT 1200 PROCESSORS 2)
    foreach(source IN LISTS unit_sources)
        get_filename_component(name ${source} NAME_WE)
        add_test(NAME asan.${name} COMMAND ${asan}/tests/${name})
        set_tests_properties(asan.${name} PROPERTIES FIXTURES_REQUIRED asan LABELS asan TIMEOUT 300
            ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
    endforeach()
endif()
