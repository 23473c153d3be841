# What the statistics deliver in simulated studies; ./dev bench runs it.
add_executable(bench_calibration ${CMAKE_CURRENT_LIST_DIR}/bench_calibration.c)
target_link_libraries(bench_calibration PRIVATE jl_analysis)
