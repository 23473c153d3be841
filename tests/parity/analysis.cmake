# The statistics against scipy, statsmodels and enumeration, 10,000 random cases a function.
add_executable(analysis_driver ${CMAKE_CURRENT_LIST_DIR}/analysis_driver.c)
target_link_libraries(analysis_driver PRIVATE jl_analysis)
add_test(NAME parity.analysis
    COMMAND ${JL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/analysis.py $<TARGET_FILE:analysis_driver>)
set_tests_properties(parity.analysis PROPERTIES LABELS "parity" TIMEOUT 600)
