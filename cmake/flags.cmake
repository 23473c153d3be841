add_library(jl_flags INTERFACE)
target_compile_options(jl_flags INTERFACE
    -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wundef -fno-common
    # Seeded weights and statistics must be the same on every machine: no fused multiply-add
    # that one processor has and another lacks.
    -ffp-contract=off)
target_compile_definitions(jl_flags INTERFACE _GNU_SOURCE JL_VERSION="${PROJECT_VERSION}")
target_include_directories(jl_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

set(JL_SANITIZE "" CACHE STRING "address;undefined or thread")
if(JL_SANITIZE)
    list(JOIN JL_SANITIZE "," sanitizers)
    target_compile_options(jl_flags INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(jl_flags INTERFACE -fsanitize=${sanitizers})
endif()
option(JL_COVERAGE "instrument for gcov" OFF)
if(JL_COVERAGE)
    target_compile_options(jl_flags INTERFACE --coverage)
    target_link_options(jl_flags INTERFACE --coverage)
endif()
option(JL_FUZZ "instrument for libFuzzer (clang)" OFF)
if(JL_FUZZ)
    target_compile_options(jl_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
