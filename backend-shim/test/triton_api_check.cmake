# SPDX-License-Identifier: Apache-2.0
#
# Compares src/triton_api.h with the official headers when TRITON_INCLUDE_DIR names their folder
# (the one that holds triton/core/tritonbackend.h). Included from the CMakeLists.txt of the shim.
# The headers may be of any release from 23.07 on: what ours say a later one brought may be missing.

set(TRITON_RELEASE "" CACHE STRING "Release of these headers, such as 24.10: what it lacks is then known exactly")

if(NOT TRITON_INCLUDE_DIR)
  message(STATUS "triton_api.h is not compared with the official headers: set TRITON_INCLUDE_DIR")
  return()
endif()
if(NOT EXISTS ${TRITON_INCLUDE_DIR}/triton/core/tritonbackend.h)
  message(FATAL_ERROR "TRITON_INCLUDE_DIR is ${TRITON_INCLUDE_DIR}, which does not hold "
                      "triton/core/tritonbackend.h")
endif()

enable_language(CXX)
set(tsb_api_header ${CMAKE_CURRENT_LIST_DIR}/../src/triton_api.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${tsb_api_header})

# Every name that the official headers declare; their comments speak of others, too.
set(tsb_official_text "")
foreach(header IN ITEMS tritonbackend tritonserver)
  file(READ ${TRITON_INCLUDE_DIR}/triton/core/${header}.h text)
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  string(APPEND tsb_official_text "${text}")
endforeach()
string(REGEX MATCHALL "TRITON(SERVER|BACKEND)_[A-Za-z0-9_]+" tsb_official "${tsb_official_text}")

# From which release on a name is there: the mark before a function that we call; a comment behind a name or above its line.
file(READ ${tsb_api_header} tsb_api_text)
function(tsb_since name result)
  if(tsb_api_text MATCHES "TSB_TRITON_SINCE\\(([0-9.]+)\\)[^;]*[ *]${name}\\(")
    set(release ${CMAKE_MATCH_1})
  elseif(tsb_api_text MATCHES "[ *]${name}(,| =|;|\\()[^\n]* /\\* since ([0-9.]+) \\*/")
    set(release ${CMAKE_MATCH_2})
  elseif(tsb_api_text MATCHES "\n/\\* since ([0-9.]+) \\*/\n[^\n;]*[ *]${name}(;|\\()")
    set(release ${CMAKE_MATCH_1})
  else()
    set(release "")
  endif()
  set(${result} "${release}" PARENT_SCOPE)
endfunction()

# Every name of the header, by the form of its declaration.
string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" tsb_api_code "${tsb_api_text}")
string(REGEX MATCHALL "TRITON(SERVER|BACKEND)_[A-Z0-9_]+ =" tsb_values "${tsb_api_code}")
string(REGEX MATCHALL "} TRITON(SERVER|BACKEND)_[A-Za-z_]+" tsb_enums "${tsb_api_code}")
string(REGEX MATCHALL "\\(\\*TRITON(SERVER|BACKEND)_[A-Za-z0-9_]+\\)" tsb_callbacks "${tsb_api_code}")
string(REGEX MATCHALL "TRITON(SERVER|BACKEND)_[A-Za-z0-9]+\\(" tsb_functions "${tsb_api_code}")
string(REGEX MATCHALL "typedef struct TRITON(SERVER|BACKEND)_[A-Za-z]+" tsb_objects "${tsb_api_code}")

set(tsb_api_names "")
set(tsb_api_missing "")
foreach(kind IN ITEMS VALUE:values ENUM:enums CALLBACK:callbacks SIGNATURE:functions OBJECT:objects)
  string(REPLACE ":" ";" kind "${kind}")
  list(GET kind 0 macro)
  list(GET kind 1 list)
  list(LENGTH tsb_${list} count)
  if(count EQUAL 0)
    message(FATAL_ERROR "no ${list} found in ${tsb_api_header}: the expressions in "
                        "triton_api_check.cmake no longer fit its form")
  endif()
  set(lacking 0)
  foreach(match IN LISTS tsb_${list})
    string(REGEX MATCH "TRITON[A-Za-z0-9_]+" name "${match}")
    tsb_since(${name} since)
    if(name IN_LIST tsb_official AND tsb_api_text MATCHES " ${name} =[^\n]* /\\* ([0-9]+) before (TRITON[A-Z_]+);"
       AND NOT CMAKE_MATCH_2 IN_LIST tsb_official)
      string(APPEND tsb_api_names "TSB_OLD_VALUE(${name}, ${CMAKE_MATCH_1})\n")
    elseif(name IN_LIST tsb_official)
      string(APPEND tsb_api_names "TSB_${macro}(${name})\n")
      if(TRITON_RELEASE AND since VERSION_GREATER TRITON_RELEASE)
        message(SEND_ERROR "triton_api.h says that ${name} is there since ${since}; the headers of ${TRITON_RELEASE} have it")
      endif()
    elseif(NOT since)
      message(SEND_ERROR "triton_api.h has ${name}, which the official headers lack, and does not say since which release it is there")
    elseif(TRITON_RELEASE AND NOT since VERSION_GREATER TRITON_RELEASE)
      message(SEND_ERROR "triton_api.h says that ${name} is there since ${since}; the headers of ${TRITON_RELEASE} lack it")
    else()
      math(EXPR lacking "${lacking} + 1")
      message(STATUS "triton_api.h: ${name}, there since ${since}, is not in these headers")
      if(macro STREQUAL "OBJECT")
        string(APPEND tsb_api_missing "struct ${name};\n")
      endif()
    endif()
  endforeach()
  math(EXPR count "${count} - ${lacking}")
  message(STATUS "triton_api.h: ${count} ${list} compared with the official headers, ${lacking} not there")
endforeach()
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/triton_api_names.inc "${tsb_api_names}")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/triton_api_missing.inc "${tsb_api_missing}")

add_library(tsb_triton_api_check OBJECT ${CMAKE_CURRENT_LIST_DIR}/triton_api_check.cc)
target_include_directories(
  tsb_triton_api_check PRIVATE ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_LIST_DIR})
target_include_directories(tsb_triton_api_check SYSTEM PRIVATE ${TRITON_INCLUDE_DIR})
set_target_properties(tsb_triton_api_check PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
