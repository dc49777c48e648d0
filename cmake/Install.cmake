# What an installed tare consists of: the shared library and the static one, the public headers, tare.pc, the CMake
# package; CMakeLists.txt adds the command with its pages.
install(TARGETS tare tare_static EXPORT tareTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

# Headers keep their folders, since they include one another by relative path. Private: *_private.h, and in ops/ all
# but the prototypes: the rest means something in the passes of ops/ only.
foreach(folder ${TARE_FOLDERS})
    file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
    list(FILTER headers EXCLUDE REGEX "_private\\.h$")
    if(folder STREQUAL "ops")
        list(FILTER headers INCLUDE REGEX "/(ops|catalogue)\\.h$")
    endif()
    install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tare/${folder})
endforeach()
install(FILES tare.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tare)

# Both descriptions find the prefix from where they lie, so an installed tree can be moved.
file(RELATIVE_PATH TARE_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
# What a program needs besides that links statically.
set(TARE_PC_PRIVATE)
foreach(library ${TARE_DEPENDENCY_LIBRARIES})
    if(library STREQUAL Threads::Threads)
        string(APPEND TARE_PC_PRIVATE " -pthread")
    elseif(library MATCHES "^[/-]")
        string(APPEND TARE_PC_PRIVATE " ${library}")
    else()
        string(APPEND TARE_PC_PRIVATE " -l${library}")
    endif()
endforeach()
configure_file(cmake/tare.pc.in tare.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/tare.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/tare)
write_basic_package_version_file(tareConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT tareTargets NAMESPACE tare:: DESTINATION ${package_folder})
install(FILES cmake/tareConfig.cmake ${CMAKE_BINARY_DIR}/tareConfigVersion.cmake DESTINATION ${package_folder})
