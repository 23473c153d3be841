# Shared objects that the unit tests load: the example that users start from, broken ones, a libcuda of
# our own, and an ONNX Runtime that crashes.
set(plugins ${PROJECT_SOURCE_DIR}/examples/runtime_plugin.c
    ${CMAKE_CURRENT_LIST_DIR}/old_abi.c ${CMAKE_CURRENT_LIST_DIR}/no_infer.c
    ${CMAKE_CURRENT_LIST_DIR}/no_entry.c ${CMAKE_CURRENT_LIST_DIR}/fake_libcuda.c
    ${CMAKE_CURRENT_LIST_DIR}/old_meter.c ${CMAKE_CURRENT_LIST_DIR}/no_read.c
    ${CMAKE_CURRENT_LIST_DIR}/crash_ort.c ${CMAKE_CURRENT_LIST_DIR}/fake_nvrtc.c
    ${CMAKE_CURRENT_LIST_DIR}/relu_ep.c)
foreach(source IN LISTS plugins)
    get_filename_component(name ${source} NAME_WE)
    add_library(plugin_${name} MODULE ${source})
    target_link_libraries(plugin_${name} PRIVATE jl_flags)
    set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins)
    add_dependencies(test_runtime plugin_${name})
    add_dependencies(test_cuda plugin_${name})
    add_dependencies(test_meter plugin_${name})
    add_dependencies(test_nvrtc plugin_${name} nvrtc_13)
endforeach()
foreach(name test_runtime test_cuda test_meter test_nvrtc)
    target_compile_definitions(${name} PRIVATE JL_PLUGINS="${PROJECT_BINARY_DIR}/plugins")
endforeach()
target_compile_definitions(test_nvrtc PRIVATE
    JL_NVRTC="${PROJECT_BINARY_DIR}/lib/jouleline/nvrtc/libnvrtc.so.13")
