# tare as a CMake package: find_package(tare) gives the targets tare::tare (shared) and tare::static.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/tareTargets.cmake)
