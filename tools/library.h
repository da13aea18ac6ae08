/* SPDX-License-Identifier: MIT */
/* library.h - which libhresv.so a program would be given, and whether it can be loaded */
#ifndef HRESV_TOOLS_LIBRARY_H
#define HRESV_TOOLS_LIBRARY_H

#include "tools/trouble.h"

/*
 * @wanted (NULL: none), else beside this tool, in the lib directory next to its bin,
 * or where it was installed. A path for free(3), absolute where there is such a
 * file; NULL: none is found.
 */
char *library_find(const char *wanted);

/* TROUBLE_NONE: it can be loaded. *ret_machine: EM_*, of this tool where unknown. */
enum trouble library_trouble(const char *path, unsigned *ret_machine);

/*
 * LD_PRELOAD with @path behind what @present (NULL: nothing) names already: what was
 * put first stays first. For free(3). NULL: @path can't stand there.
 */
char *library_preload(const char *present, const char *path);

#endif
