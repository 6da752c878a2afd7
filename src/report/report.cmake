# The page's three parts travel inside the library.  SPDX-License-Identifier: Apache-2.0
gn_embed(report "${CMAKE_CURRENT_LIST_DIR}/page.html" gn_page_html)
gn_embed(report "${CMAKE_CURRENT_LIST_DIR}/page.css" gn_page_css)
gn_embed(report "${CMAKE_CURRENT_LIST_DIR}/page.js" gn_page_js)
