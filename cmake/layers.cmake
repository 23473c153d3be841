# jl_layer(NAME LOWER...): all sources under src/NAME as one static library; FILE.sql becomes the
# array of bytes `jl_embedded_FILE`.
function(jl_layer name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
    file(GLOB_RECURSE embedded CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.sql)
    foreach(from IN LISTS embedded)
        get_filename_component(base ${from} NAME_WE)
        set(to ${PROJECT_BINARY_DIR}/embedded/${name}_${base}.c)
        add_custom_command(OUTPUT ${to} DEPENDS ${from} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
            COMMAND ${CMAKE_COMMAND} -DFROM=${from} -DTO=${to} -DNAME=jl_embedded_${base}
                -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
        list(APPEND sources ${to})
    endforeach()
    if(NOT sources)
        add_library(jl_${name} INTERFACE)
        set(scope INTERFACE)
    else()
        add_library(jl_${name} STATIC ${sources})
        set(scope PUBLIC)
    endif()
    list(TRANSFORM ARGN PREPEND jl_ OUTPUT_VARIABLE lower)
    target_link_libraries(jl_${name} ${scope} ${lower} jl_flags deps)
endfunction()

# jl_program(NAME FOLDER LAYER): an executable from one folder. All but its main.c is a library,
# jl_FOLDER, so that tests can call it.
function(jl_program name folder layer)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/${folder}/main.c)
    add_library(jl_${folder} STATIC ${sources})
    target_include_directories(jl_${folder} PUBLIC ${PROJECT_SOURCE_DIR}/${folder})
    target_link_libraries(jl_${folder} PUBLIC jl_${layer})
    add_executable(${name} ${PROJECT_SOURCE_DIR}/${folder}/main.c)
    target_link_libraries(${name} PRIVATE jl_${folder})
    if(JL_STATIC) # tools/dist.py reads there which archives were taken
        target_link_options(${name} PRIVATE -Wl,-Map=${PROJECT_BINARY_DIR}/${name}.map)
    endif()
endfunction()
