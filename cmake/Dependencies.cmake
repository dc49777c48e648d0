# What tare needs from the system: threads, zlib, jansson, a CBLAS; Check for the tests. A missing one is named
# together with its Debian package. Sets TARE_DEPENDENCY_INCLUDES, TARE_DEPENDENCY_LIBRARIES, TARE_CHECK_*.
include(CheckCSourceCompiles)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
    message(FATAL_ERROR "pkg-config was not found: install the Debian package pkg-config (or run scripts/prepare.sh)")
endif()

macro(tare_require prefix module package)
    pkg_check_modules(${prefix} QUIET ${module})
    if(NOT ${prefix}_FOUND)
        message(FATAL_ERROR "${module} was not found: install the Debian package ${package} (or run scripts/prepare.sh)")
    endif()
endmacro()

tare_require(TARE_ZLIB zlib zlib1g-dev)
tare_require(TARE_JANSSON jansson libjansson-dev)
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
    tare_require(TARE_CHECK check check)
endif()

# Any CBLAS can be named. The default is OpenBLAS in its pthread form, looked for in Debian's own folder of that
# form first (its file is also found at run time then, whatever the system's alternatives point at), then under the
# name other systems give it, then as pkg-config's openblas.
set(TARE_BLAS_LIBRARIES "" CACHE STRING "the CBLAS library or libraries (empty: OpenBLAS, pthread form)")
set(TARE_BLAS_INCLUDE "" CACHE PATH "the folder of its cblas.h (empty: as found)")

set(blas_libraries ${TARE_BLAS_LIBRARIES})
set(blas_include ${TARE_BLAS_INCLUDE})
if(NOT blas_libraries)
    pkg_check_modules(TARE_OPENBLAS QUIET openblas)
    find_library(TARE_OPENBLAS_FOUND_LIBRARY NAMES openblas
        PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread NO_DEFAULT_PATH)
    find_library(TARE_OPENBLAS_FOUND_LIBRARY NAMES openblasp openblas HINTS ${TARE_OPENBLAS_LIBRARY_DIRS})
    if(NOT TARE_OPENBLAS_FOUND_LIBRARY)
        message(FATAL_ERROR "OpenBLAS was not found: install the Debian package libopenblas-pthread-dev (or run "
            "scripts/prepare.sh), or name a CBLAS: -DTARE_BLAS_LIBRARIES=... -DTARE_BLAS_INCLUDE=...")
    endif()
    file(REAL_PATH ${TARE_OPENBLAS_FOUND_LIBRARY} real_library)
    if(real_library MATCHES "serial")
        message(FATAL_ERROR "${real_library} is OpenBLAS in its serial form, which is wrong when several threads call "
            "it: install the Debian package libopenblas-pthread-dev (or run scripts/prepare.sh)")
    endif()
    set(blas_libraries ${TARE_OPENBLAS_FOUND_LIBRARY})
endif()
if(NOT blas_include)
    find_path(TARE_CBLAS_FOUND_INCLUDE NAMES cblas.h
        HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread ${TARE_OPENBLAS_INCLUDE_DIRS}
        PATH_SUFFIXES openblas)
    if(NOT TARE_CBLAS_FOUND_INCLUDE)
        message(FATAL_ERROR "cblas.h was not found: install the Debian package libopenblas-pthread-dev (or run "
            "scripts/prepare.sh), or name its folder: -DTARE_BLAS_INCLUDE=...")
    endif()
    set(blas_include ${TARE_CBLAS_FOUND_INCLUDE})
endif()

# Checked anew whenever another library or header is named, so the result is not kept.
set(CMAKE_REQUIRED_LIBRARIES ${blas_libraries} Threads::Threads m)
set(CMAKE_REQUIRED_INCLUDES ${blas_include})
set(CMAKE_REQUIRED_QUIET ON)
unset(TARE_CBLAS_WORKS CACHE)
check_c_source_compiles("#include <cblas.h>
int main(void)
{
    float a = 2, b = 3, c = 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
    return c != 6;
}" TARE_CBLAS_WORKS)
if(NOT TARE_CBLAS_WORKS)
    message(FATAL_ERROR "no program with cblas_sgemm could be linked against ${blas_libraries} with the cblas.h of "
        "${blas_include}: name a CBLAS with -DTARE_BLAS_LIBRARIES=... -DTARE_BLAS_INCLUDE=...")
endif()
unset(CMAKE_REQUIRED_LIBRARIES)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_QUIET)
message(STATUS "CBLAS: ${blas_libraries}")

set(TARE_DEPENDENCY_INCLUDES ${blas_include} ${TARE_ZLIB_INCLUDE_DIRS} ${TARE_JANSSON_INCLUDE_DIRS})
set(TARE_DEPENDENCY_LIBRARIES
    ${blas_libraries} ${TARE_ZLIB_LINK_LIBRARIES} ${TARE_JANSSON_LINK_LIBRARIES} Threads::Threads ${CMAKE_DL_LIBS} m)
