# Each tests/golden/*.t is one test. To accept what the program prints now:
#   build/venv/bin/python tests/golden/run.py --update build/release tests/golden/NAME.t
file(GLOB golden_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.t)
foreach(file IN LISTS golden_files)
    get_filename_component(name ${file} NAME_WE)
    add_test(NAME golden.${name} COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/run.py ${PROJECT_BINARY_DIR} ${file})
    set_tests_properties(golden.${name} PROPERTIES LABELS golden TIMEOUT 300
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endforeach()
add_test(NAME golden.runner COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_run.py)
set_tests_properties(golden.runner PROPERTIES LABELS golden TIMEOUT 60)

# Stores of known content for the examples.
add_executable(make_store ${CMAKE_CURRENT_LIST_DIR}/make_store.c)
target_link_libraries(make_store PRIVATE jl_cli)
set_target_properties(make_store PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
