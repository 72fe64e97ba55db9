/* SPDX-License-Identifier: Apache-2.0 */
/* What cppcheck, which reads none of the system's headers, is told ahead of each file. */
#define json_array_foreach(a, i, v)  for (i = 0; (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) for (k = ""; (v = json_object_get(o, k));)
