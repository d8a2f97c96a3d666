/* SIGINT and SIGTERM: the first asks to stop after the current picture, the second ends the program at once. */
#ifndef OSPREY_TOOLS_SIGNALS_H
#define OSPREY_TOOLS_SIGNALS_H

void signals_watch(void);
int signal_caught(void); /* its number; 0: none yet */

#endif
