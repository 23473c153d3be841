# Benchmarks: each bench_NAME.c is a program over the whole library, each bench_NAME.py a script.
# The tests build them, ./dev bench runs them (run.py): their numbers belong to a quiet machine.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bench_*.c)
foreach(source IN LISTS bench_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE jl_cli)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()

# What bench_memory.py compares with: nothing of jouleline but one header.
add_executable(bare_ort ${CMAKE_CURRENT_LIST_DIR}/bare_ort.c)
target_link_libraries(bare_ort PRIVATE jl_flags ${CMAKE_DL_LIBS})
set_target_properties(bare_ort PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)

# Gives bench_int8.py the inputs that jouleline itself makes.
add_executable(seeded_items ${CMAKE_CURRENT_LIST_DIR}/seeded_items.c)
target_link_libraries(seeded_items PRIVATE jl_convert)
set_target_properties(seeded_items PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
