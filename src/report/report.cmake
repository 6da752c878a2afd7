# The page's parts travel inside the library.  SPDX-License-Identifier: Apache-2.0
foreach(part html css js base_js model_js chart_js overview_js glance_js curves_js table_js winner_js)
    string(REPLACE "_js" ".js" file "page_${part}")
    if(part MATCHES "^(html|css|js)$")
        set(file "page.${part}")
    endif()
    gn_embed(report "${CMAKE_CURRENT_LIST_DIR}/${file}" gn_page_${part})
endforeach()
