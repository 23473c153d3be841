add_executable(image_driver ${CMAKE_CURRENT_LIST_DIR}/image_driver.c)
target_link_libraries(image_driver PRIVATE jl_base)
add_test(NAME parity.image COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/image.py $<TARGET_FILE:image_driver>)
set_tests_properties(parity.image PROPERTIES LABELS parity TIMEOUT 120)
