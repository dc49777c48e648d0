# The tests: each tests/test_*.c is one Check program; each tests/check_*.sh and check_*.py is a test that gets the
# source folder and the build folder. All run in the source folder. test_full_* and check_full_* carry the label full;
# test_shared_* link to the shared library, as a program outside does. tests/plugins/*.c is a plug-in each,
# tests/fuzz/*.c a fuzz target each.
option(BUILD_TESTING "build the tests" ON)
if(NOT BUILD_TESTING)
    return()
endif()
enable_testing()

# Tests write many small files, each stored by fsync: in memory where there is room for them and programs may be loaded.
set(roomy_folder "f=$(mktemp /dev/shm/tare.XXXXXX) && printf '#!/bin/sh\\n' >$f && chmod +x $f && $f; s=$?; rm -f $f;
    [ $s -eq 0 ] && [ $(df -Pk /dev/shm | awk 'NR == 2 { print $4 }') -gt 2000000 ]")
execute_process(COMMAND sh -c "${roomy_folder}" RESULT_VARIABLE no_room OUTPUT_QUIET ERROR_QUIET)
# OpenMP's threads (oneDNN's) would look for work on processors that other tests want.
set(test_environment OMP_WAIT_POLICY=passive)
if(no_room EQUAL 0)
    list(APPEND test_environment TMPDIR=/dev/shm)
endif()

function(tare_add_test name)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT $<IF:$<BOOL:${CMAKE_CROSSCOMPILING}>,2400,600>)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "${test_environment}")
    if(name MATCHES "^(check_(cli|timing|records|onednn)|test_(shadow_derived|derived|golden_nets))$") # the longest begin first
        set_tests_properties(${name} PROPERTIES COST 1000)
    endif()
    if(name MATCHES "^(test|check)_full_")
        set_tests_properties(${name} PROPERTIES LABELS full TIMEOUT 3000)
    endif()
endfunction()

# A device for the tests that want one; a library, so that the others do not carry it.
add_library(tare_shadow STATIC tests/shadow.c)
tare_compile(tare_shadow)

# Where a symbol is missing is found when a plug-in is loaded, not when it is linked.
set(plugins)
file(GLOB plugin_sources CONFIGURE_DEPENDS tests/plugins/*.c)
foreach(source ${plugin_sources})
    get_filename_component(name ${source} NAME_WE)
    add_library(plugin_${name} MODULE ${source})
    tare_compile(plugin_${name})
    target_link_libraries(plugin_${name} PRIVATE tare)
    set_target_properties(plugin_${name} PROPERTIES
        PREFIX "" SUFFIX .so OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/plugins)
    list(APPEND plugins plugin_${name})
endforeach()

# Preloaded into the command by check_no_memory.py and check_gate.py; sanitizers have an allocator of their own.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT CMAKE_BUILD_TYPE MATCHES "^(Sanitize|Tsan|Fuzz)$")
    foreach(name fail_allocation plant_cost)
        add_library(${name} MODULE tests/${name}.c)
        tare_compile(${name})
        target_link_libraries(${name} PRIVATE ${CMAKE_DL_LIBS})
        set_target_properties(${name} PROPERTIES C_VISIBILITY_PRESET default)
    endforeach()
endif()

file(GLOB test_sources CONFIGURE_DEPENDS tests/test_*.c)
foreach(source ${test_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    tare_compile(${name})
    target_include_directories(${name} SYSTEM PRIVATE ${TARE_CHECK_INCLUDE_DIRS})
    if(name MATCHES "^test_shared_")
        target_link_libraries(${name} PRIVATE tare ${TARE_CHECK_LINK_LIBRARIES} ${CMAKE_DL_LIBS} m)
        target_compile_definitions(${name} PRIVATE TARE_PLUGIN_FOLDER="${CMAKE_BINARY_DIR}/tests/plugins")
        add_dependencies(${name} ${plugins})
    else()
        target_link_libraries(${name} PRIVATE tare_shadow tare_bench tare_static ${TARE_CHECK_LINK_LIBRARIES})
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    tare_add_test(${name} ${name})
endforeach()

# What needs a clock, for `make bench-check`.
add_executable(bench_costs tests/bench_costs.c)
tare_compile(bench_costs)
target_include_directories(bench_costs SYSTEM PRIVATE ${TARE_CHECK_INCLUDE_DIRS})
target_link_libraries(bench_costs PRIVATE tare_bench tare_static ${TARE_CHECK_LINK_LIBRARIES})
set_target_properties(bench_costs PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

if(TARGET tare_onednn)
    target_compile_definitions(test_golden PRIVATE TARE_ONEDNN_PLUGIN="$<TARGET_FILE:tare_onednn>")
    add_dependencies(test_golden tare_onednn)
endif()

file(GLOB scripts CONFIGURE_DEPENDS tests/check_*.sh tests/check_*.py)
foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    if(script MATCHES "\\.py$")
        find_package(Python3 COMPONENTS Interpreter)
        if(NOT Python3_Interpreter_FOUND)
            message(FATAL_ERROR "python3 was not found: install the Debian package python3 (or run scripts/prepare.sh)")
        endif()
        tare_add_test(${name} ${Python3_EXECUTABLE} ${script} ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
    else()
        tare_add_test(${name} bash ${script} ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
    endif()
endforeach()

# With libFuzzer (preset fuzz) the targets are for scripts/fuzz.sh; elsewhere each is a test over its kept inputs and some
# mutations of them.
add_custom_target(fuzz)
file(GLOB fuzz_sources CONFIGURE_DEPENDS tests/fuzz/*.c)
foreach(source ${fuzz_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(fuzz_${name} ${source})
    tare_compile(fuzz_${name})
    target_link_libraries(fuzz_${name} PRIVATE tare_bench tare_static)
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_dependencies(fuzz fuzz_${name})
    if(CMAKE_BUILD_TYPE STREQUAL "Fuzz")
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(fuzz_${name} PRIVATE tests/fuzz_driver.c)
        tare_add_test(fuzz_${name} fuzz_${name} tests/fuzz/corpus/${name})
    endif()
endforeach()
