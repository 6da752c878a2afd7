# The spaces that come with the program travel inside the library.  SPDX-License-Identifier: Apache-2.0
foreach(space edge21 mobile tiny yolo)
    gn_embed(search "${CMAKE_CURRENT_LIST_DIR}/spaces/${space}.yaml" gn_space_yaml_${space})
endforeach()
