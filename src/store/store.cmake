# The study's schema travels inside the library.  SPDX-License-Identifier: Apache-2.0
gn_embed(store "${CMAKE_CURRENT_LIST_DIR}/schema.sql" gn_schema_sql)
gn_embed(store "${CMAKE_CURRENT_LIST_DIR}/schema_1_to_2.sql" gn_schema_1_to_2_sql)
# libpq is opened when a study on a server is.
