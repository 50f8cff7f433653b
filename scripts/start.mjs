// `npm start`. This file must parse on old Nodes, so that they can say in one line what is needed.
import { refuseOldNode } from './node-version.mjs';

refuseOldNode();
import('./start/main.mjs').then((start) => start.main());
