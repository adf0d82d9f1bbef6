# SPDX-License-Identifier: Apache-2.0
#
# Compares src/triton_api.h with the official headers when TRITON_INCLUDE_DIR names their folder
# (the one that holds triton/core/tritonbackend.h). Included from the CMakeLists.txt of the shim.

set(TRITON_INCLUDE_DIR "" CACHE PATH "Folder with triton/core/tritonbackend.h; empty: no comparison")
if(NOT TRITON_INCLUDE_DIR AND EXISTS /opt/tritonserver/include/triton/core/tritonbackend.h)
  set(TRITON_INCLUDE_DIR /opt/tritonserver/include)
endif()

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

# Every name of the header, by the form of its declaration.
file(READ ${tsb_api_header} tsb_api_text)
string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" tsb_api_text "${tsb_api_text}")
string(REGEX MATCHALL "TRITON(SERVER|BACKEND)_[A-Z0-9_]+ =" tsb_values "${tsb_api_text}")
string(REGEX MATCHALL "} TRITON(SERVER|BACKEND)_[A-Za-z_]+" tsb_enums "${tsb_api_text}")
string(REGEX MATCHALL "\\(\\*TRITON(SERVER|BACKEND)_[A-Za-z0-9_]+\\)" tsb_callbacks "${tsb_api_text}")
string(REGEX MATCHALL "TRITON(SERVER|BACKEND)_[A-Za-z0-9]+\\(" tsb_functions "${tsb_api_text}")

set(tsb_api_names "")
foreach(kind IN ITEMS VALUE:values ENUM:enums CALLBACK:callbacks SIGNATURE:functions)
  string(REPLACE ":" ";" kind "${kind}")
  list(GET kind 0 macro)
  list(GET kind 1 list)
  list(LENGTH tsb_${list} count)
  if(count EQUAL 0)
    message(FATAL_ERROR "no ${list} found in ${tsb_api_header}: the expressions in "
                        "triton_api_check.cmake no longer fit its form")
  endif()
  foreach(match IN LISTS tsb_${list})
    string(REGEX MATCH "TRITON[A-Za-z0-9_]+" name "${match}")
    string(APPEND tsb_api_names "TSB_${macro}(${name})\n")
  endforeach()
  message(STATUS "triton_api.h: ${count} ${list} compared with the official headers")
endforeach()
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/triton_api_names.inc "${tsb_api_names}")

add_library(tsb_triton_api_check OBJECT ${CMAKE_CURRENT_LIST_DIR}/triton_api_check.cc)
target_include_directories(
  tsb_triton_api_check PRIVATE ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_LIST_DIR})
target_include_directories(tsb_triton_api_check SYSTEM PRIVATE ${TRITON_INCLUDE_DIR})
set_target_properties(tsb_triton_api_check PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
