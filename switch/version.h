/*
 * What --version says: the tree's, when it was built.
 */
#ifndef VERSION_H
#define VERSION_H

extern const char version_text[];

#endif
