# Writes OUT with TARE_COMMIT, the commit of SOURCE ("-dirty" when files differ from it); "unknown" when SOURCE is not
# itself a git checkout (a tarball unpacked inside someone else's repository is not).
set(commit unknown)
find_program(git NAMES git)
if(git)
    execute_process(COMMAND ${git} -C ${SOURCE} rev-parse --show-toplevel
        OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    file(REAL_PATH ${SOURCE} real_source)
    if(top STREQUAL real_source)
        execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
            OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        if(described)
            set(commit ${described})
        endif()
    endif()
endif()
set(text "#define TARE_COMMIT \"${commit}\"\n")
set(old "")
if(EXISTS ${OUT})
    file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
    file(WRITE ${OUT} ${text})
endif()
