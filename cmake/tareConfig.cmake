# tare as a CMake package: find_package(tare) gives the target tare::tare.
include(${CMAKE_CURRENT_LIST_DIR}/tareTargets.cmake)
