/* SPDX-License-Identifier: MIT */
/* linux.h - which Linux this is, where no call tells what it does */
#ifndef HRESV_CORE_FACTS_LINUX_H
#define HRESV_CORE_FACTS_LINUX_H

#include <stdbool.h>

/*
 * Is it this version or a newer one, by its name (uname(2))? Looked up once. True when that
 * can't be read. A vendor's older version may have the patch: what is done for old ones
 * must be right on new ones too.
 */
bool linux_is(unsigned major, unsigned minor);

#endif
